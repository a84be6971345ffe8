"""What a client asks first: how to sign in here, and what the caller may do."""
