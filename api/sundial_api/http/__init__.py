"""What all endpoints share: JSON, pages, errors, the OpenAPI document."""
