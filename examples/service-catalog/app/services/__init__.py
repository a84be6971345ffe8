"""The services of the catalog, called without a worker."""
