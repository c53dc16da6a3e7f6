"""Plain reads and writes, one module per table or group of tables."""
