"""What a release is made of: checks, wheel, image, chart, what is in them, and who says so."""
