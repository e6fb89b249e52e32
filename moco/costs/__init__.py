"""From networks to the hardware model: what they are as work, and what that costs."""
