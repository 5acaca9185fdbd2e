# Runs lit_cnn in a container, as a user without root's rights.
#
#   docker build -t lit_cnn .
#   docker run --rm lit_cnn                                                # the quickstart
#   docker run --rm --user "$(id -u)" -v "$PWD:/mnt" -w /mnt lit_cnn fit --config mlp_mnist   # data/ and logs/ here
FROM python:3.12-slim

WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY configs configs
COPY lit_cnn lit_cnn
RUN pip install --no-cache-dir .

RUN useradd --create-home student
USER student
ENV XDG_CACHE_HOME=/tmp/cache
WORKDIR /home/student
ENTRYPOINT ["lit_cnn"]
CMD ["fit", "--config", "quickstart"]
