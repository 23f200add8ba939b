# The operator: the stock ansible-operator, with the collection and the wrapper runner. Build it with `make docker-build`.
#
# On the image below already, and not installed again: Python 3.12, ansible-core 2.18, ansible-runner 2.4 with the plugin that
# tells ansible-operator of tasks, kubernetes 33.1, PyYAML 6, /tini. It has no pip, tar or find; what is Python here is copied
# to where PYTHONPATH points. HOME is /opt/ansible, where config/manager mounts a volume.
#
# A release gives the digest of the image below (requirements/images.yaml) as a build context of its name.
FROM quay.io/operator-framework/ansible-operator:v1.42.3 AS build

# As root, so that nobody who runs it can change it: the pod's user is any UID, in group 0.
# hadolint ignore=DL3002
USER 0
COPY requirements.yml /opt/semantic-router-operator/build/
RUN ansible-galaxy collection install --collections-path /opt/semantic-router-operator/collections \
      --requirements-file /opt/semantic-router-operator/build/requirements.yml
COPY dist/vllm-semantic_router.tar.gz /opt/semantic-router-operator/build/
RUN ansible-galaxy collection install --collections-path /opt/semantic-router-operator/collections --offline \
      /opt/semantic-router-operator/build/vllm-semantic_router.tar.gz
# pip is there for this only. The schemas of config.yaml are what it is for: docs/adr/0013-the-routers-schema.md.
COPY requirements/schema.txt /opt/semantic-router-operator/build/
COPY requirements/router-0.4.txt /opt/semantic-router-operator/build/
RUN python3 -m venv /opt/semantic-router-operator/build/venv \
 && /opt/semantic-router-operator/build/venv/bin/pip install --quiet --no-cache-dir --no-deps \
      --target /opt/semantic-router-operator/python --requirement /opt/semantic-router-operator/build/schema.txt \
 && /opt/semantic-router-operator/build/venv/bin/pip install --quiet --no-cache-dir --no-deps \
      --target /opt/semantic-router-operator/python/router_schemas/0.4 \
      --requirement /opt/semantic-router-operator/build/router-0.4.txt
COPY warm/warm_runner/ /opt/semantic-router-operator/python/warm_runner/
COPY runner/wrapper_runner/ /opt/semantic-router-operator/python/wrapper_runner/
# COPY keeps the modes of the checkout, which may be its owner's alone. Here, for it doubles what it changes.
RUN chmod -R a+rX,go-w /opt/semantic-router-operator \
 && python3 -m compileall -q /opt/semantic-router-operator/python

# Without what only the build needed.
FROM quay.io/operator-framework/ansible-operator:v1.42.3

LABEL org.opencontainers.image.title="semantic-router-ansible-operator" \
      org.opencontainers.image.description="Runs vLLM Semantic Router from SemanticRouter objects" \
      org.opencontainers.image.licenses="GPL-3.0-or-later" \
      org.opencontainers.image.source="https://github.com/vllm-project/semantic-router-operator"

ENV ANSIBLE_COLLECTIONS_PATH=/opt/semantic-router-operator/collections \
    PYTHONPATH=/opt/semantic-router-operator/python

COPY --from=build /opt/semantic-router-operator/collections /opt/semantic-router-operator/collections
COPY --from=build /opt/semantic-router-operator/python /opt/semantic-router-operator/python

USER 1001
WORKDIR /opt/semantic-router-operator
ENTRYPOINT ["/tini", "--", "python3", "-m", "wrapper_runner", "run", \
            "--watches-file=/opt/semantic-router-operator/collections/ansible_collections/vllm/semantic_router/watches.yaml"]
