"""The store on PostgreSQL: pooled ``connections``, bulk ``statements``, LISTEN/NOTIFY between servers (``listen``);
``store`` is the implementation.
"""
