"""Networks that give the feature maps C2 to C5 of an image."""
