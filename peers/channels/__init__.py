"""Django Channels with channels_redis."""
