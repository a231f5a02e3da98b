FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY client_sdk client_sdk
COPY server server
COPY dashboard dashboard
COPY migrations migrations
COPY requirements/dev.lock requirements/dev.lock
RUN python -m venv /opt/trainvitals \
    && /opt/trainvitals/bin/pip install --no-cache-dir -c requirements/dev.lock ".[postgres]"

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 trainvitals && install -d -o trainvitals /data
COPY --from=build /opt/trainvitals /opt/trainvitals
ENV PATH=/opt/trainvitals/bin:$PATH PYTHONUNBUFFERED=1
USER trainvitals
VOLUME /data
EXPOSE 7360
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7360/healthz', timeout=4)"]
# Beyond loopback the server starts only with TRAINVITALS_TOKEN.
ENTRYPOINT ["trainvitals", "serve", "--host", "0.0.0.0", "--port", "7360", "--data", "/data"]
