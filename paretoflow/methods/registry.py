"""Module of every method, by its YAML tag; see `spec.capabilities` for their capabilities."""

from __future__ import annotations

TAGS = {
    "bco": "paretoflow.methods.offline.bco:BcoMethod",
    "command": "paretoflow.methods.external.command:CommandMethod",
    "dpa": "paretoflow.methods.conditioned.dpa:DpaMethod",
    "dpo": "paretoflow.methods.offline.dpo:DpoMethod",
    "f_dpo": "paretoflow.methods.offline.dpo:FDpoMethod",
    "gradient_dpo": "paretoflow.methods.gradients.gradient_dpo:GradientDpoMethod",
    "grao": "paretoflow.methods.online.grao:GraoMethod",
    "grpo": "paretoflow.methods.online.grpo:GrpoMethod",
    "ipo": "paretoflow.methods.offline.dpo:IpoMethod",
    "ipo_md": "paretoflow.methods.online.ipo_md:IpoMdMethod",
    "kto": "paretoflow.methods.offline.kto:KtoMethod",
    "lipo": "paretoflow.methods.offline.lipo:LipoMethod",
    "ln_dpo": "paretoflow.methods.offline.dpo:LnDpoMethod",
    "mah_dpo": "paretoflow.methods.conditioned.mah_dpo:MahDpoMethod",
    "meet": "paretoflow.methods.conditioned.meet:MeetMethod",
    "mm_dpo": "paretoflow.methods.offline.mm_dpo:MmDpoMethod",
    "modpo": "paretoflow.methods.offline.modpo:ModpoMethod",
    "ric": "paretoflow.methods.conditioned.ric:RicMethod",
    "rloo": "paretoflow.methods.online.rloo:RlooMethod",
    "pro": "paretoflow.methods.offline.pro:ProMethod",
    "rpo": "paretoflow.methods.offline.rpo:RpoMethod",
    "sft": "paretoflow.methods.offline.sft:SftMethod",
    "simpo": "paretoflow.methods.offline.simpo:SimpoMethod",
}
"""YAML tag to `module:Name`."""
