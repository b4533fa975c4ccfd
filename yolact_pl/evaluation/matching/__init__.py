"""Which detections are which annotated objects: measured once per image, counted from by all analyses."""
