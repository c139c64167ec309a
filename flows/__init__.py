"""Orchestration: Prefect flows over the stages of the DVC pipelines, their deployments, and ``make repro``."""
