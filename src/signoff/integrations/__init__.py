"""Approvals in the terms of agent frameworks, each in a module that imports its framework: ``langchain``,
``openai_agents``, ``pydantic_ai``, ``claude_agent``. ``tools`` is what they share.
"""
