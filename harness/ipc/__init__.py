"""The messages, settings and clock that the driver's processes share."""
