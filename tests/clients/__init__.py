"""Other people's clients drive the lab unmodified."""
