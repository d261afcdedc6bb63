"""What of the documents is made of code and records."""
