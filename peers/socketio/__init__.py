"""Socket.IO with its Redis adapter."""
