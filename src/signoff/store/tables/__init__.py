"""Plain reads and writes, one module for each table or group of tables."""
