"""The custom resources: what users write, what the API server checks, what they are called."""
