"""TODO semantic_hub/zoo/calibration."""
