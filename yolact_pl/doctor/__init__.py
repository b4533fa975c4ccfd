"""What is wrong with a data set in COCO format: every finding with its ids, a report, and a corrected copy."""
