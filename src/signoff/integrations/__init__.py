"""Approvals for other programs, each in a module that imports its framework: ``langchain``, ``openai_agents``,
``pydantic_ai``, ``claude_agent``, ``temporal``, ``airflow``. ``github_action``: the step of a GitHub action;
``github_deployments``: a deployment protection rule; ``tools``: shared by the adapters.
"""
