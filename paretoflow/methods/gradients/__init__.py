"""Methods that combine one gradient for each objective."""
