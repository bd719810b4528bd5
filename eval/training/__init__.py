"""Training: data, mining, training, export and calibration of the packaged models. Not in the wheel; `train` extra."""
