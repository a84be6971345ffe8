"""What starts in the next hours: slots by job and quarter of an hour."""
