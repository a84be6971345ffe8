"""What would become of the original's functions and jobs? Manifests, problems, and what would run when."""
