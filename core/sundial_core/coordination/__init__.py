"""What replicas tell each other: who leads, who lives, what the mirror has."""
