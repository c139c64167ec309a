"""DVC pipelines: every stage of every cell and profile, generated with exactly the code that it depends on."""
