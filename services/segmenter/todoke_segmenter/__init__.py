"""STATE: event topics -> who each customer is now -> what just became true of them."""
