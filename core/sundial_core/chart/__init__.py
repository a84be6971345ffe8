"""What the Helm chart has of the core: copies of the CRDs, and the policies."""
