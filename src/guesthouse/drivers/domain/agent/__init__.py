"""The guest agent: its channel, and what is asked of it."""
