"""python-socketio with its Redis manager."""
