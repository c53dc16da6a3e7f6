"""Approvals in the terms of other programs, each in a module that imports its framework: ``langchain``,
``openai_agents``, ``pydantic_ai``, ``claude_agent``, ``temporal``. ``github_action`` is the step of a GitHub action.
``tools`` is what the adapters share.
"""
