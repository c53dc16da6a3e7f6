# Signoff's server and command line. Build: docker build -t signoff .
# Everything is installed by deploy/docker/install, which also runs without a container.
FROM python:3.13-slim-bookworm AS build
COPY . /src
RUN /src/deploy/docker/install /opt/signoff

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /data signoff
COPY --from=build /opt/signoff /opt/signoff
ENV PATH=/opt/signoff/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SIGNOFF_HOST=0.0.0.0 \
    SIGNOFF_PORT=8100 \
    SIGNOFF_DATA=/data \
    SIGNOFF_LOG_FORMAT=json
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8100
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8100/ready', timeout=2)"]
ENTRYPOINT ["signoff"]
CMD ["up"]
