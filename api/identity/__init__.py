"""Who asks: the identity service's keys, and the tokens that they verify."""
