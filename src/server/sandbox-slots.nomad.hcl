# Sandbox servers on Nomad, for `nomadDiscovery({ url, job: "sandbox" })`. Parsed as HCL; never run on a real cluster.
#
#     nomad var put nomad/jobs/sandbox token="$(openssl rand -hex 32)"
#     nomad job run -var image=registry.example/sandbox-slots:0.1.0 src/server/sandbox-slots.nomad.hcl

variable "image" {
  type        = string
  description = "The image that src/server/Dockerfile makes."
}

variable "containers" {
  type    = number
  default = 1
}

variable "slots" {
  type    = number
  default = 8
}

job "sandbox" {
  type = "service"

  group "sandbox" {
    count = var.containers

    network {
      port "http" {
        to = 8080
      }
    }

    # A deployment ends as soon as the tasks run, so that it does not stand in the way of scaling.
    update {
      health_check     = "task_states"
      min_healthy_time = "0s"
    }

    task "server" {
      driver = "docker"

      # The server has 5 s to drain (--drain-timeout), then it kills and delivers. Nomad sends SIGINT.
      kill_timeout = "20s"

      config {
        image = var.image
        init  = true
        ports = ["http"]
        args = [
          "serve", "--host", "0.0.0.0", "--port", "8080",
          "--slots", "${var.slots}",
          "--token-file", "${NOMAD_SECRETS_DIR}/token",
        ]

        # bubblewrap mounts a /proc of its own, which Docker's masked paths forbid, and `systempaths=unconfined` is an
        # option of Docker's command line alone. It needs `allow_privileged = true` in the agent's docker plugin.
        privileged = true
      }

      template {
        destination = "${NOMAD_SECRETS_DIR}/token"
        perms       = "0600"
        data        = "{{ with nomadVar \"nomad/jobs/sandbox\" }}{{ .token }}{{ end }}"
      }

      resources {
        cpu    = 1000
        memory = 2048
      }
    }
  }
}
