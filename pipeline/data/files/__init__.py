"""What lies below a user's path: listed, left out with the reason, tables read."""
