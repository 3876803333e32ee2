"""What the procedures do: one package a driver, and what they promise the server in `api`."""
