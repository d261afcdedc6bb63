"""The harness: runs an architecture for real, drives it with chat, and checks and measures every delivery."""
