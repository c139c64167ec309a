# The suite in a container, on a CPU:
#     docker build -t emde . && docker run --rm emde --version
# On a GPU: --build-arg TORCH="torch==2.13.0 --index-url ...", the CUDA build that pytorch.org names for the driver (a CPU
# build the same way; plain torch is what the package index has for Linux), then: docker run --gpus all emde-cuda ...
# What is to stay: docker run --rm -v "$PWD/data:/suite/data" -v "$PWD/results:/suite/results" emde run ...
# The whole pipeline: docker run --rm --entrypoint python emde -m flows.repro
ARG PYTHON=3.11
FROM python:${PYTHON}-slim
ARG TORCH="torch==2.13.0"
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /suite
COPY requirements.lock .
RUN pip install --no-cache-dir ${TORCH} && pip install --no-cache-dir --requirement requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .
ENTRYPOINT ["emde"]
CMD ["--help"]
