"""Approvals for other frameworks, one module for each: ``langchain``, ``openai_agents``,
``pydantic_ai``, ``claude_agent``, ``temporal``, ``airflow``. ``github_action``: the step of a GitHub action;
``github_deployments``: a deployment protection rule; ``tools``: shared by the adapters.
"""
