"""What a cluster holds, who may ask for it, and how a sweep is handed over to one."""
