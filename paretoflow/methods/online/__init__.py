"""Methods that sample from the policy in training."""
