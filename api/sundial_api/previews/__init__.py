"""What a schedule would do, before it is written: in words, its next slots, what is odd about it."""
