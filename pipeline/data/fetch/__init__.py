"""Files from elsewhere, obtained and opened without trusting them."""
