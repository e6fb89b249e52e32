"""The accuracy oracle: scores of the supernet, what corrects them, and how well they rank."""
