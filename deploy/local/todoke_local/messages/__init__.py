"""A campaign's messages before they are sent: what they read, whether LINE takes them, how they look."""
