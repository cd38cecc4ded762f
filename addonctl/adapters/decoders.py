"""Decodes each kind in the table of resources.py into a value of the model: one small function per kind.

Live and offline reading both loop over `KINDS`; a new kind is one entry in resources.py and its function here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from addonctl import model, resources, units
from addonctl.adapters import api_types as s
from addonctl.adapters import forms, helm, redact, shapes
from addonctl.adapters.decoding import EMPTY, Decoder, Kind, aware, conditions, kept_annotations, quantity
from addonctl.catalog import Form, SettingForm
from addonctl.errors import BadInput
from addonctl.resources import RESOURCES, group_of


def _strings(values: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(values or ())


def _text(value: int | str | None) -> str:
    return "" if value is None else str(value)


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (values or {}).items()}


def _bytes(quantities: Mapping[str, Any] | None, key: str) -> int:
    return quantity(units.whole, (quantities or {}).get(key, "0")) or 0


def _match_labels(selector: s.LabelSelector | None) -> dict[str, str]:
    return (selector.match_labels if selector else None) or EMPTY


def _expressions(selector: s.LabelSelector | None) -> tuple[model.LabelExpression, ...]:
    return tuple(
        model.LabelExpression(key=wanted.key, operator=wanted.operator, values=_strings(wanted.values))
        for wanted in (selector.match_expressions if selector else None) or ()
    )


def _service_target(ref: s.ServiceReference | None) -> model.ServiceTarget | None:
    if ref is None or not ref.name:
        return None
    return model.ServiceTarget(namespace=ref.namespace or "default", name=ref.name, port=ref.port or 443)


# ── One function per kind: (shape, decoder, common) → model ─────────────────────────────────────────────────────


def _node(o: s.Node, d: Decoder, common: dict[str, Any]) -> model.Node:
    spec, status = o.spec or s.NodeSpec(), o.status or s.NodeStatus()
    info, allocatable = status.node_info or s.NodeInfo(), status.allocatable or {}
    return model.Node(
        **common,
        kubelet_version=info.kubelet_version,
        kube_proxy_version=info.kube_proxy_version,
        container_runtime=info.container_runtime_version,
        os_image=info.os_image,
        operating_system=info.operating_system,
        architecture=info.architecture,
        provider_id=spec.provider_id or "",
        unschedulable=bool(spec.unschedulable),
        taints=tuple(model.Taint(key=t.key, value=t.value or "", effect=t.effect or "") for t in spec.taints or ()),
        conditions=conditions(status.conditions),
        cpu_millicores=quantity(units.cpu_millicores, allocatable.get("cpu", "0")) or 0,
        memory_bytes=_bytes(allocatable, "memory"),
        max_pods=_bytes(allocatable, "pods"),
    )


def _namespace(o: s.Namespace, d: Decoder, common: dict[str, Any]) -> model.Namespace:
    status = o.status or s.NamespaceStatus()
    return model.Namespace(**common, phase=status.phase or "", conditions=conditions(status.conditions))


def _port(port: s.Port) -> model.Port:
    target = "" if port.target_port is None else str(port.target_port)
    return model.Port(port.name or "", port.container_port or port.port or 0, port.protocol or "TCP", target)


def _container(c: s.Container, env: Mapping[str, SettingForm], init: bool) -> model.Container:
    requests = (c.resources.requests if c.resources else None) or {}
    limits = (c.resources.limits if c.resources else None) or {}

    def asked(of: Mapping[str, Any], what: str, read: Callable[[str], int]) -> int | None:
        return quantity(read, of[what]) if of.get(what) is not None else None

    return model.Container(
        name=c.name,
        image=c.image or "",
        init=init,
        cpu_request_millicores=asked(requests, "cpu", units.cpu_millicores),
        cpu_limit_millicores=asked(limits, "cpu", units.cpu_millicores),
        memory_request_bytes=asked(requests, "memory", units.whole),
        memory_limit_bytes=asked(limits, "memory", units.whole),
        ports=tuple(_port(port) for port in c.ports or ()),
        has_readiness_probe=c.readiness_probe is not None,
        has_liveness_probe=c.liveness_probe is not None,
        privileged=bool(c.security_context and c.security_context.privileged),
        env=forms.settings({e.name: e.value for e in c.env or () if e.value is not None}, env),
    )


def _config_sources(spec: s.PodSpec) -> Iterator[tuple[str, str | None, bool]]:
    """(kind, name, optional) for everything that the pod refers to."""

    def key(kind: str, ref: s.KeyRef | None) -> tuple[str, str | None, bool]:
        return kind, ref.name if ref else None, bool(ref and ref.optional)

    for volume in spec.volumes or ():
        yield key("ConfigMap", volume.config_map)
        secret, claim = volume.secret or s.SecretVolume(), volume.persistent_volume_claim or s.ClaimVolume()
        yield "Secret", secret.secret_name, bool(secret.optional)
        yield "PersistentVolumeClaim", claim.claim_name, False
        for source in (volume.projected.sources or ()) if volume.projected else ():
            yield key("ConfigMap", source.config_map)
            yield key("Secret", source.secret)
    for container in (*(spec.containers or ()), *(spec.init_containers or ())):
        for source_of in container.env_from or ():
            yield key("ConfigMap", source_of.config_map_ref)
            yield key("Secret", source_of.secret_ref)
        for variable in container.env or ():
            origin = variable.value_from or s.EnvSource()
            yield key("ConfigMap", origin.config_map_key_ref)
            yield key("Secret", origin.secret_key_ref)
    for pulled in spec.image_pull_secrets or ():
        yield "Secret", pulled.name, False


def _toleration(each: s.Toleration) -> model.Toleration:
    return model.Toleration(
        key=each.key or "", operator=each.operator or "Equal", value=each.value or "", effect=each.effect or ""
    )


def _template(template: s.PodTemplate | None, d: Decoder) -> model.PodTemplate:
    if template is None:
        return model.PodTemplate()
    meta, spec = template.metadata or s.Meta(), template.spec or s.PodSpec()
    sources = set(_config_sources(spec))
    both = (*(spec.containers or ()), *(spec.init_containers or ()))
    env = d.env(container.image or "" for container in both)
    needed = {(kind, name) for kind, name, optional in sources if not optional}

    def referred(what: str) -> tuple[str, ...]:
        return tuple(sorted({name for kind, name, _ in sources if kind == what and name}))

    cpu, memory = _requested(spec, d)
    return model.PodTemplate(
        cpu_request_millicores=cpu,
        memory_request_bytes=memory,
        labels=meta.labels or EMPTY,
        annotations=kept_annotations(meta.annotations),
        containers=(
            *(_container(c, env, init=False) for c in spec.containers or ()),
            *(_container(c, env, init=True) for c in spec.init_containers or ()),
        ),
        service_account=spec.service_account_name or spec.service_account or "",
        host_network=bool(spec.host_network),
        priority_class=spec.priority_class_name or "",
        node_selector=spec.node_selector or EMPTY,
        tolerations=tuple(map(_toleration, spec.tolerations or ())),
        has_affinity=spec.affinity is not None,
        has_pod_anti_affinity=bool(spec.affinity and spec.affinity.pod_anti_affinity is not None),
        has_topology_spread=bool(spec.topology_spread_constraints),
        config_maps=referred("ConfigMap"),
        secrets=referred("Secret"),
        claims=referred("PersistentVolumeClaim"),
        optional=tuple(sorted({f"{kind}/{name}" for kind, name, _ in sources if name and (kind, name) not in needed})),
    )


def _workload(kind: str) -> Callable[[s.Workload, Decoder, dict[str, Any]], model.Workload | None]:
    def convert(o: s.Workload, d: Decoder, common: dict[str, Any]) -> model.Workload | None:
        if kind == "Job" and any(owner.kind == "CronJob" for owner in common["owners"]):
            return None  # its CronJob is read; a cluster may have thousands of its Jobs
        spec = o.spec or s.WorkloadSpec()
        strategy = spec.strategy or spec.update_strategy or s.Strategy()
        rolling = strategy.rolling_update or s.RollingUpdate()
        meta = o.metadata or s.Meta()
        return model.Workload(
            **common,
            kind=kind,
            template=_template(spec.template, d),
            selector=_match_labels(spec.selector),
            strategy=strategy.type or "",
            max_unavailable=_text(rolling.max_unavailable),
            max_surge=_text(rolling.max_surge),
            partition=rolling.partition or 0,
            generation=meta.generation or 0,
            paused=bool(spec.paused),
            storage_classes=tuple(
                dict.fromkeys(
                    claim.spec.storage_class_name
                    for claim in spec.volume_claim_templates or ()
                    if claim.spec and claim.spec.storage_class_name
                )
            ),
            claim_templates=tuple(map(_claim_template, spec.volume_claim_templates or ())),
            conditions=conditions(o.status.conditions if o.status else None),
            **_counts(kind, spec, o.status),
        )

    return convert


def _claim_template(claim: s.VolumeClaim) -> model.ClaimTemplate:
    spec = claim.spec or s.ClaimSpec()
    asked = spec.resources.requests if spec.resources else None
    return model.ClaimTemplate(spec.storage_class_name or "", _bytes(asked, "storage"))


def _counts(kind: str, spec: s.WorkloadSpec, status: s.WorkloadStatus | None) -> dict[str, Any]:
    """How many pods a workload wants and has; unset if the input has no status."""
    if status is None or (status.observed_generation is None and kind in ("Deployment", "DaemonSet", "StatefulSet")):
        if kind == "DaemonSet":
            return {}  # one per matching node: not known
        replicas = 1 if spec.replicas is None else spec.replicas
        return {"desired": _completions(spec) if kind == "Job" else replicas}
    if kind == "DaemonSet":
        return {
            "observed_generation": status.observed_generation,
            "desired": status.desired_number_scheduled or 0,
            "ready": status.number_ready or 0,
            "available": status.number_available or 0,
            "updated": status.updated_number_scheduled or 0,
        }
    if kind == "Job":
        return {"desired": _completions(spec), "ready": status.succeeded or 0, "active": status.active or 0}
    return {
        "observed_generation": status.observed_generation,
        "desired": 1 if spec.replicas is None else spec.replicas,
        "ready": status.ready_replicas or 0,
        "available": status.available_replicas or 0,
        "updated": status.updated_replicas or 0,
        "total": status.replicas or 0,
        "current_revision": status.current_revision or "",
        "update_revision": status.update_revision or "",
    }


def _completions(spec: s.WorkloadSpec) -> int | None:
    """How many pods of a Job must succeed; None for a work queue, which any of its pods may complete."""
    return 1 if spec.completions is None and spec.parallelism is None else spec.completions


def _cron_job(o: s.CronJob, d: Decoder, common: dict[str, Any]) -> model.Workload:
    job = (o.spec.job_template.spec if o.spec and o.spec.job_template else None) or s.WorkloadSpec()
    status = o.status or s.CronJobStatus()
    return model.Workload(
        **common,
        kind="CronJob",
        template=_template(job.template, d),
        paused=bool(o.spec and o.spec.suspend),
        active=len(status.active or ()) if o.status else None,
        last_scheduled=aware(status.last_schedule_time),
        last_succeeded=aware(status.last_successful_time),
    )


def _pod(o: s.Pod, d: Decoder, common: dict[str, Any]) -> model.Pod:
    spec, status = o.spec or s.RunningPodSpec(), o.status or s.PodStatus()
    cpu, memory = _requested(spec, d)
    failing = [c for c in status.conditions or () if c.status != "True"]
    return model.Pod(
        **common,
        phase=status.phase or "",
        reason=status.reason or "",
        node=spec.node_name or "",
        restart_policy=spec.restart_policy or "Always",
        ready=status.phase == "Running" and not any(c.type == "Ready" for c in failing),
        conditions=conditions(failing) if failing else (),
        containers=tuple(_statuses(spec, status, d)),
        claims=tuple(_claims_of(spec.volumes, common["name"])),
        csi_drivers=tuple(v.csi.driver for v in spec.volumes or () if v.csi and v.csi.driver),
        cpu_request_millicores=cpu,
        memory_request_bytes=memory,
    )


def _claims_of(volumes: Iterable[s.MountedVolume] | None, pod: str) -> Iterator[str]:
    """The claim of an ephemeral volume is named after the pod and the volume."""
    for volume in volumes or ():
        if volume.persistent_volume_claim and volume.persistent_volume_claim.claim_name:
            yield volume.persistent_volume_claim.claim_name
        elif volume.ephemeral is not None:
            yield f"{pod}-{volume.name}"


def _statuses(spec: s.RunningPodSpec, status: s.PodStatus, d: Decoder) -> Iterator[model.ContainerStatus]:
    """The statuses of containers and sidecars, and of the init container that blocks a pod."""
    was_of = {was.name: was for was in status.container_statuses or ()}
    for container in spec.containers or ():
        was = was_of.get(container.name) or _NO_STATUS
        yield d.status(container.name, container.image or was.image or "", was)
    sidecars = {container.name for container in spec.init_containers or () if _is_sidecar(container)}
    for was in status.init_container_statuses or ():
        ended = was.state.terminated if was.state else None
        hangs = was.state is not None and (was.state.waiting or (ended and ended.exit_code))
        if hangs or was.name in sidecars:
            yield d.status(was.name, was.image or "", was)


def _is_sidecar(container: s.PodContainer | s.Container) -> bool:
    return container.restart_policy == "Always"


def _requested(spec: s.RunningPodSpec | s.PodSpec, d: Decoder) -> tuple[int, int]:
    """(CPU in millicores, memory in bytes) that the scheduler reserves for a pod.

    The sum over containers and sidecars, or the peak during initialisation if that is higher: each init container runs
    alongside the sidecars started before it. Pod-level requests override these; the overhead is added.
    Source: PodRequests in k8s.io/component-helpers/resource.
    """
    running = [d.request(container.resources) for container in spec.containers or ()]
    if spec.init_containers is None and spec.resources is None and spec.overhead is None:
        return sum(cpu for cpu, _ in running), sum(memory for _, memory in running)
    beside, peak = (0, 0), (0, 0)
    for container in spec.init_containers or ():
        together = _plus(beside, d.request(container.resources))
        peak = max(peak[0], together[0]), max(peak[1], together[1])
        beside = together if _is_sidecar(container) else beside
    for asked in running:
        beside = _plus(beside, asked)
    whole = max(beside[0], peak[0]), max(beside[1], peak[1])
    own = (spec.resources.requests if spec.resources else None) or {}
    said = d.request(spec.resources)
    whole = said[0] if "cpu" in own else whole[0], said[1] if "memory" in own else whole[1]
    return _plus(whole, d.request(s.Resources(requests=spec.overhead)))


def _plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


_NO_STATUS = s.ContainerStatus()


def _images(template: s.PodTemplate | None) -> tuple[str, ...]:
    spec = template.spec if template else None
    return tuple(c.image or "" for c in (spec.containers or ())) if spec else ()


def _replica_set(o: s.ReplicaSet, d: Decoder, common: dict[str, Any]) -> model.Revision:
    spec, status = o.spec or s.ReplicaSetSpec(), o.status or s.ReplicaSetStatus()
    number = common["annotations"].get("deployment.kubernetes.io/revision", "0")
    return model.Revision(
        **common,
        kind="ReplicaSet",
        number=int(number) if number.isdigit() else 0,
        replicas=spec.replicas,
        ready=status.ready_replicas or 0,
        available=(status.available_replicas or 0) if o.status else None,
        generation=(o.metadata.generation or 0) if o.metadata else 0,
        observed_generation=status.observed_generation,
        conditions=conditions(status.conditions),
        images=_images(spec.template),
    )


def _controller_revision(o: s.ControllerRevision, d: Decoder, common: dict[str, Any]) -> model.Revision:
    spec = o.data.spec if o.data else None
    return model.Revision(
        **common, kind="ControllerRevision", number=o.revision or 0, images=_images(spec.template if spec else None)
    )


def _balancers(status: s.BalancedStatus | None) -> tuple[str, ...]:
    ingress = status.load_balancer.ingress if status and status.load_balancer else None
    return tuple(entry.hostname or entry.ip or "" for entry in ingress or ())


def _service(o: s.Service, d: Decoder, common: dict[str, Any]) -> model.Service:
    spec = o.spec or s.ServiceSpec()
    return model.Service(
        **common,
        type=spec.type or "ClusterIP",
        cluster_ip=spec.cluster_ip or "",
        selector=spec.selector or EMPTY,
        ports=tuple(_port(port) for port in spec.ports or ()),
        load_balancer_class=spec.load_balancer_class or "",
        load_balancers=_balancers(o.status),
    )


def _endpoint_slice(o: s.EndpointSlice, d: Decoder, common: dict[str, Any]) -> model.EndpointSlice:
    # A missing `ready` means ready (Kubernetes API reference, EndpointConditions).
    ready = [endpoint.conditions is None or endpoint.conditions.ready is not False for endpoint in o.endpoints or ()]
    return model.EndpointSlice(
        **common,
        service=common["labels"].get("kubernetes.io/service-name", ""),
        ready=sum(ready),
        not_ready=len(ready) - sum(ready),
        ports=tuple(_port(port) for port in o.ports or ()),
    )


def _budget(o: s.DisruptionBudget, d: Decoder, common: dict[str, Any]) -> model.DisruptionBudget:
    spec, status = o.spec or s.BudgetSpec(), o.status or s.BudgetStatus()
    return model.DisruptionBudget(
        **common,
        selector=_match_labels(spec.selector) if spec.selector else None,
        expressions=_expressions(spec.selector),
        min_available=_text(spec.min_available),
        max_unavailable=_text(spec.max_unavailable),
        disruptions_allowed=status.disruptions_allowed,
        healthy=status.current_healthy,
        healthy_wanted=status.desired_healthy,
        pods=status.expected_pods,
    )


def _cross_ref(ref: s.CrossRef | None, namespace: str = "") -> model.ObjectRef | None:
    if ref is None or not ref.name:
        return None
    kind = ref.kind or ""
    group = ref.api_version.rpartition("/")[0] if ref.api_version else group_of(kind)
    return model.ObjectRef(kind=kind, name=ref.name, namespace=ref.namespace or namespace, group=group)


_HPA_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"  # where autoscaling/v1 has them


def _autoscaler(o: s.Autoscaler, d: Decoder, common: dict[str, Any]) -> model.Autoscaler:
    spec, status = o.spec or s.AutoscalerSpec(), o.status or s.AutoscalerStatus()
    if status.conditions is None and o.metadata and _HPA_CONDITIONS in (o.metadata.annotations or EMPTY):
        status.conditions = _annotated_conditions((o.metadata.annotations or EMPTY)[_HPA_CONDITIONS])
    return model.Autoscaler(
        **common,
        target=_cross_ref(spec.scale_target_ref, common["namespace"]),
        min_replicas=1 if spec.min_replicas is None else spec.min_replicas,
        max_replicas=spec.max_replicas or 0,
        current_replicas=status.current_replicas,
        conditions=conditions(status.conditions),
    )


def _annotated_conditions(text: str) -> list[s.Condition] | None:
    try:
        return shapes.decode(text, list[s.Condition])
    except msgspec.DecodeError:
        return None


def _rules(rules: Iterable[s.AdmissionRule] | None) -> tuple[model.Rule, ...]:
    return tuple(
        model.Rule(
            groups=_strings(rule.api_groups),
            versions=_strings(rule.api_versions),
            resources=_strings(rule.resources),
            operations=_strings(rule.operations),
            scope=rule.scope or "*",
        )
        for rule in rules or ()
    )


def webhook(hook: s.Webhook) -> model.Webhook:
    """A webhook of a configuration."""
    config = hook.client_config or s.ClientConfig()
    namespaces, objects = hook.namespace_selector, hook.object_selector
    return model.Webhook(
        name=hook.name,
        failure_policy=hook.failure_policy or "Fail",
        timeout_s=hook.timeout_seconds or 10,
        service=_service_target(config.service),
        url_host=forms.host(config.url or ""),
        rules=_rules(hook.rules),
        namespace_labels=_match_labels(namespaces),
        namespace_expressions=_expressions(namespaces),
        object_labels=_match_labels(objects),
        object_expressions=_expressions(objects),
        has_match_conditions=bool(hook.match_conditions),
        ca_expires=ca_expiry(config.ca_bundle or ""),
    )


def ca_expiry(bundle: str) -> datetime | None:
    """When the last certificate of a base64 PEM bundle expires; None if there is none that can be read.

    A bundle trusts all of its certificates: while a CA is being rotated, it contains the old and the new one.
    """
    import base64
    import binascii

    if not bundle:
        return None
    import warnings

    from cryptography import x509
    from cryptography.utils import CryptographyDeprecationWarning

    # Some CAs, such as Gatekeeper's, have serial number 0, which does not matter here.
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    try:
        certificates = x509.load_pem_x509_certificates(base64.b64decode(bundle, validate=True))
    except (ValueError, binascii.Error):
        return None
    return max((certificate.not_valid_after_utc for certificate in certificates), default=None)


def _webhooks(kind: str) -> Callable[[s.WebhookConfiguration, Decoder, dict[str, Any]], model.WebhookConfiguration]:
    def convert(o: s.WebhookConfiguration, d: Decoder, common: dict[str, Any]) -> model.WebhookConfiguration:
        hooks = tuple(webhook(hook) for hook in o.webhooks or ())
        return model.WebhookConfiguration(**common, kind=kind, webhooks=hooks)

    return convert


def _api_service(o: s.ApiService, d: Decoder, common: dict[str, Any]) -> model.ApiService:
    spec = o.spec or s.ApiServiceSpec()
    return model.ApiService(
        **common,
        group=spec.group or "",
        version=spec.version or "",
        service=_service_target(spec.service),
        conditions=conditions(o.status.conditions if o.status else None),
        ca_expires=ca_expiry(spec.ca_bundle or ""),
    )


def _crd(o: s.Crd, d: Decoder, common: dict[str, Any]) -> model.CustomResourceDefinition:
    spec, status = o.spec or s.CrdSpec(), o.status or s.CrdStatus()
    names = spec.names or s.CrdNames()
    listed = spec.versions or ([s.CrdVersion(name=spec.version, storage=True)] if spec.version else [])
    called = spec.conversion.webhook if spec.conversion else None
    config = (called.client_config if called else None) or s.ClientConfig()
    return model.CustomResourceDefinition(
        **common,
        group=spec.group,
        kind=names.kind,
        plural=names.plural,
        namespaced=spec.scope != "Cluster",
        versions=tuple(
            model.CrdVersion(
                name=v.name,
                served=v.served is not False,
                storage=bool(v.storage),
                deprecated=bool(v.deprecated),
                has_status=bool(v.subresources and v.subresources.status),
            )
            for v in listed
        ),
        stored_versions=_strings(status.stored_versions),
        conversion=_service_target(config.service),
        conversion_ca_expires=ca_expiry(config.ca_bundle or ""),
        conditions=conditions(status.conditions),
    )


def _admission_policy(o: s.AdmissionPolicy, d: Decoder, common: dict[str, Any]) -> model.AdmissionPolicy:
    spec = o.spec or s.AdmissionPolicySpec()
    rules = spec.match_constraints.resource_rules if spec.match_constraints else None
    return model.AdmissionPolicy(**common, failure_policy=spec.failure_policy or "Fail", rules=_rules(rules))


def _policy_binding(o: s.AdmissionPolicyBinding, d: Decoder, common: dict[str, Any]) -> model.AdmissionPolicyBinding:
    spec = o.spec or s.AdmissionPolicyBindingSpec()
    return model.AdmissionPolicyBinding(
        **common, policy=spec.policy_name or "", actions=_strings(spec.validation_actions)
    )


def _csi_driver(o: s.CsiDriver, d: Decoder, common: dict[str, Any]) -> model.CsiDriver:
    return model.CsiDriver(**common, attach_required=not (o.spec and o.spec.attach_required is False))


# What determines the price and performance of an EBS volume.
# Source: docs/parameters.md of aws-ebs-csi-driver.
_VOLUME_PARAMETERS: Mapping[str, SettingForm] = {
    "type": ("gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"),
    "iops": Form.NUMBER,
    "iopsPerGB": Form.NUMBER,
    "throughput": Form.NUMBER,
    "encrypted": Form.BOOLEAN,
}


_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _storage_class(o: s.StorageClass, d: Decoder, common: dict[str, Any]) -> model.StorageClass:
    notes = common["annotations"]
    return model.StorageClass(
        **common,
        provisioner=o.provisioner or "",
        parameters=forms.settings(o.parameters or {}, _VOLUME_PARAMETERS),
        is_default=any(notes.get(key) == "true" for key in _DEFAULT_CLASS),
        reclaim_policy=o.reclaim_policy or "",
        binding_mode=o.volume_binding_mode or "",
        expandable=bool(o.allow_volume_expansion),
    )


def _snapshot_class(o: s.VolumeSnapshotClass, d: Decoder, common: dict[str, Any]) -> model.VolumeSnapshotClass:
    return model.VolumeSnapshotClass(**common, driver=o.driver or "", deletion_policy=o.deletion_policy or "")


# Names that AWS gives: vol-0abc of EBS, fs-0abc::fsap-0def of EFS. Other drivers may put anything there.
_HANDLE = re.compile(r"(?:vol|fs|fsvol)-[0-9a-f]{8,17}(?=::|:|$)", re.ASCII)


def _driver(spec: s.VolumeSpec) -> str:
    """Its CSI driver; of a volume that Kubernetes itself made on EBS, the name of that provisioner."""
    in_tree = _IN_TREE_EBS if spec.aws_elastic_block_store else ""
    return (spec.csi.driver or "") if spec.csi else in_tree


_IN_TREE_EBS = "kubernetes.io/aws-ebs"


def _handle(spec: s.VolumeSpec) -> str:
    """AWS's name of a volume; empty where it is none of AWS's. In-tree volumes may have aws://ZONE/ before it."""
    named = (spec.csi.volume_handle if spec.csi else None) or (
        spec.aws_elastic_block_store.volume_id if spec.aws_elastic_block_store else None
    )
    found = _HANDLE.match((named or "").rpartition("/")[2])
    return found[0] if found else ""


def _volume(o: s.Volume, d: Decoder, common: dict[str, Any]) -> model.Volume:
    spec = o.spec or s.VolumeSpec()
    return model.Volume(
        **common,
        capacity_bytes=_bytes(spec.capacity, "storage"),
        storage_class=spec.storage_class_name or "",
        driver=_driver(spec),
        handle=_handle(spec),
        phase=(o.status.phase or "") if o.status else "",
        claim=_cross_ref(spec.claim_ref),
    )


def _attachment(o: s.VolumeAttachment, d: Decoder, common: dict[str, Any]) -> model.VolumeAttachment:
    spec, status = o.spec or s.AttachmentSpec(), o.status or s.AttachmentStatus()
    return model.VolumeAttachment(
        **common,
        attacher=spec.attacher or "",
        node=spec.node_name or "",
        volume=(spec.source.persistent_volume_name or "") if spec.source else "",
        attached=status.attached,
        attach_error=redact.message((status.attach_error.message or "") if status.attach_error else ""),
        detach_error=redact.message((status.detach_error.message or "") if status.detach_error else ""),
    )


def _claim(o: s.VolumeClaim, d: Decoder, common: dict[str, Any]) -> model.VolumeClaim:
    spec = o.spec or s.ClaimSpec()
    return model.VolumeClaim(
        **common,
        requested_bytes=_bytes(spec.resources.requests if spec.resources else None, "storage"),
        storage_class=spec.storage_class_name or "",
        phase=(o.status.phase or "") if o.status else "",
        volume=spec.volume_name or "",
    )


def _ingress_class(o: s.IngressClass, d: Decoder, common: dict[str, Any]) -> model.IngressClass:
    return model.IngressClass(**common, controller=(o.spec.controller or "") if o.spec else "")


def _ingress(o: s.Ingress, d: Decoder, common: dict[str, Any]) -> model.Ingress:
    spec = o.spec or s.IngressSpec()
    backends = [spec.default_backend, *(p.backend for r in spec.rules or () if r.http for p in r.http.paths or ())]
    names = {backend.service.name for backend in backends if backend and backend.service and backend.service.name}
    return model.Ingress(
        **common,
        services=tuple(sorted(names)),
        load_balancers=_balancers(o.status),
        secrets=tuple(sorted({tls.secret_name for tls in spec.tls or () if tls.secret_name})),
        ingress_class=spec.ingress_class_name or common["annotations"].get("kubernetes.io/ingress.class", ""),
    )


def _service_account(o: s.ServiceAccount, d: Decoder, common: dict[str, Any]) -> model.ServiceAccount:
    return model.ServiceAccount(
        **common,
        automount=o.automount_service_account_token,
        image_pull_secrets=tuple(ref.name for ref in o.image_pull_secrets or () if ref.name),
    )


def _role(o: s.Role, d: Decoder, common: dict[str, Any]) -> model.Role:
    return model.Role(
        **common,
        rules=tuple(
            model.PolicyRule(
                groups=_strings(r.api_groups),
                resources=_strings(r.resources),
                verbs=_strings(r.verbs),
                names=_strings(r.resource_names),
                urls=_strings(r.non_resource_urls),
            )
            for r in o.rules or ()
        ),
    )


def _role_binding(o: s.RoleBinding, d: Decoder, common: dict[str, Any]) -> model.RoleBinding:
    role = _cross_ref(o.role_ref)
    if role is None:
        raise BadInput(f"binding {common['name']} names no role")
    subjects = (_cross_ref(subject) for subject in o.subjects or ())
    return model.RoleBinding(**common, role=role, subjects=tuple(filter(None, subjects)))


def _network_policy(o: s.NetworkPolicy, d: Decoder, common: dict[str, Any]) -> model.NetworkPolicy:
    spec = o.spec or s.NetworkPolicySpec()
    return model.NetworkPolicy(
        **common, pod_selector=_match_labels(spec.pod_selector), policy_types=_strings(spec.policy_types)
    )


def _quota(o: s.ResourceQuota, d: Decoder, common: dict[str, Any]) -> model.ResourceQuota:
    status = o.status or s.QuotaStatus()
    return model.ResourceQuota(
        **common, hard=_texts(status.hard or (o.spec.hard if o.spec else None)), used=_texts(status.used)
    )


def _limit_range(o: s.LimitRange, d: Decoder, common: dict[str, Any]) -> model.LimitRange:
    limits = o.spec.limits if o.spec else None
    return model.LimitRange(**common, types=tuple(item.type or "" for item in limits or ()))


def _lease(o: s.Lease, d: Decoder, common: dict[str, Any]) -> model.Lease:
    spec = o.spec or s.LeaseSpec()
    return model.Lease(
        **common,
        holder=spec.holder_identity or "",
        renewed=aware(spec.renew_time),
        duration_s=spec.lease_duration_seconds,
    )


def _event(o: s.Event, d: Decoder, common: dict[str, Any]) -> model.Event | None:
    subject = _cross_ref(o.involved_object)
    if o.type != "Warning" or subject is None:
        return None
    series = o.series or s.EventSeries()
    return model.Event(
        **common,
        subject=subject,
        reason=o.reason or "",
        message=redact.message(o.message or ""),
        reporter=o.reporting_component or (o.source.component if o.source else "") or "",
        count=series.count or o.count or 1,
        first_seen=aware(o.first_timestamp or o.event_time),
        last_seen=aware(series.last_observed_time or o.last_timestamp or o.event_time),
    )


def _config_map(o: s.ConfigMap, d: Decoder, common: dict[str, Any]) -> model.ConfigMap | None:
    keys = d.config_maps.get(f"{common['namespace']}/{common['name']}")
    return None if keys is None else model.ConfigMap(**common, data=forms.settings(o.data or {}, keys))


def _helm_release(o: s.ReleaseSecret, d: Decoder, common: dict[str, Any]) -> model.HelmRelease | None:
    if not (o.data and o.data.release) or common["labels"].get("owner") != "helm":
        return None
    return helm.release_from_secret_data(o.data.release, namespace=common["namespace"])


def _app_source(source: s.AppSource) -> model.AppSource:
    return model.AppSource(
        repository=redact.url(source.repo_url or ""),
        chart=source.chart or "",
        path=redact.text(source.path or ""),
        revision=redact.text(source.target_revision or ""),
        release=(source.helm.release_name or "") if source.helm else "",
    )


def _application(o: s.Application, d: Decoder, common: dict[str, Any]) -> model.Application:
    spec, status = o.spec or s.AppSpec(), o.status or s.AppStatus()
    sources = [spec.source] if spec.source else spec.sources or [s.AppSource()]
    source = next((each for each in sources if each.chart), sources[0])  # others may only hold its values
    destination = spec.destination or s.AppDestination()
    sync = spec.sync_policy.automated if spec.sync_policy else None
    operation = status.operation_state or s.AppOperation()
    return model.Application(
        **common,
        project=spec.project or "",
        repository=redact.url(source.repo_url or ""),
        path=redact.text(source.path or ""),
        chart=source.chart or "",
        target_revision=redact.text(source.target_revision or ""),
        sources=tuple(map(_app_source, sources)),
        destination_namespace=destination.namespace or "",
        destination=redact.url(destination.server or destination.name or ""),
        destination_in_cluster=not destination.server and destination.name in (None, "", "in-cluster"),
        auto_sync=sync is not None and sync.enabled is not False,
        self_heal=bool(sync and sync.self_heal),
        sync=(status.sync.status or "") if status.sync else "",
        health=(status.health.status or "") if status.health else "",
        operation=operation.phase or "",
        operation_message=redact.message(operation.message or ""),
        conditions=conditions(status.conditions),
        resources=tuple(
            model.ObjectRef(kind=r.kind or "", name=r.name or "", namespace=r.namespace or "", group=r.group or "")
            for r in status.resources or ()
        ),
    )


def _flux_conditions(o: s.FluxObject) -> tuple[model.Condition, ...]:
    return conditions(o.status.conditions if o.status else None)


def _flux_source_name(ref: s.CrossRef | None) -> str:
    return f"{ref.kind}/{ref.name}" if ref and ref.name else ""


def _flux_reference(ref: s.FluxRef) -> str:
    """That which Flux goes by where several are given."""
    for name in ("commit", "digest", "name", "semver", "tag", "branch"):
        if found := getattr(ref, name):
            return f"{name} {found}"
    return ""


# Helm's limit for the name of a release.
_RELEASE_NAME_MAX = 53


def _short_release_name(name: str) -> str:
    """The name that Flux gives the Helm release: a long one is cut, and ends in a hash of the whole name.

    Source: ShortenName in helm-controller.
    """
    if len(name) <= _RELEASE_NAME_MAX:
        return name
    import hashlib

    return f"{name[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _flux_helm_release(o: s.FluxObject, d: Decoder, common: dict[str, Any]) -> model.FluxHelmRelease:
    spec = o.spec or s.FluxSpec()
    chart = (spec.chart.spec if isinstance(spec.chart, s.FluxChart) else None) or s.FluxChartSpec()
    target = spec.target_namespace or common["namespace"]
    default = f"{spec.target_namespace}-{common['name']}" if spec.target_namespace else common["name"]
    return model.FluxHelmRelease(
        **common,
        chart=chart.chart or (spec.chart_ref.name or "" if spec.chart_ref else ""),
        chart_version=chart.version or "",
        source=_flux_source_name(chart.source_ref or spec.chart_ref),
        release=_short_release_name(spec.release_name or default),
        target_namespace=target,
        elsewhere=spec.kube_config is not None,
        suspended=bool(spec.suspend),
        conditions=_flux_conditions(o),
    )


def _flux_kustomization(o: s.FluxObject, d: Decoder, common: dict[str, Any]) -> model.FluxKustomization:
    spec = o.spec or s.FluxSpec()
    return model.FluxKustomization(
        **common,
        path=redact.text(spec.path or ""),
        source=_flux_source_name(spec.source_ref),
        suspended=bool(spec.suspend),
        prune=bool(spec.prune),
        conditions=_flux_conditions(o),
    )


def _flux_source(kind: str) -> Callable[[s.FluxObject, Decoder, dict[str, Any]], model.FluxSource]:
    def convert(o: s.FluxObject, d: Decoder, common: dict[str, Any]) -> model.FluxSource:
        spec = o.spec or s.FluxSpec()
        return model.FluxSource(
            **common,
            kind=kind,
            url=redact.url(spec.url or ""),
            reference=redact.text(_flux_reference(spec.ref or s.FluxRef())),
            suspended=bool(spec.suspend),
            static=kind == "HelmRepository" and spec.type == "oci",
            conditions=_flux_conditions(o),
        )

    return convert


# ── The table ───────────────────────────────────────────────────────────────────────────────────────────────────

_DECODERS: Mapping[str, tuple[type[s.Object], Callable[[Any, Decoder, dict[str, Any]], Any]]] = {
    "Node": (s.Node, _node),
    "Namespace": (s.Namespace, _namespace),
    "Deployment": (s.Workload, _workload("Deployment")),
    "DaemonSet": (s.Workload, _workload("DaemonSet")),
    "StatefulSet": (s.Workload, _workload("StatefulSet")),
    "Job": (s.Workload, _workload("Job")),
    "CronJob": (s.CronJob, _cron_job),
    "Pod": (s.Pod, _pod),
    "ReplicaSet": (s.ReplicaSet, _replica_set),
    "ControllerRevision": (s.ControllerRevision, _controller_revision),
    "Service": (s.Service, _service),
    "EndpointSlice": (s.EndpointSlice, _endpoint_slice),
    "PodDisruptionBudget": (s.DisruptionBudget, _budget),
    "HorizontalPodAutoscaler": (s.Autoscaler, _autoscaler),
    "MutatingWebhookConfiguration": (s.WebhookConfiguration, _webhooks("MutatingWebhookConfiguration")),
    "ValidatingWebhookConfiguration": (s.WebhookConfiguration, _webhooks("ValidatingWebhookConfiguration")),
    "APIService": (s.ApiService, _api_service),
    "CustomResourceDefinition": (s.Crd, _crd),
    "ValidatingAdmissionPolicy": (s.AdmissionPolicy, _admission_policy),
    "ValidatingAdmissionPolicyBinding": (s.AdmissionPolicyBinding, _policy_binding),
    "CSIDriver": (s.CsiDriver, _csi_driver),
    "StorageClass": (s.StorageClass, _storage_class),
    "VolumeSnapshotClass": (s.VolumeSnapshotClass, _snapshot_class),
    "VolumeAttachment": (s.VolumeAttachment, _attachment),
    "PersistentVolume": (s.Volume, _volume),
    "PersistentVolumeClaim": (s.VolumeClaim, _claim),
    "IngressClass": (s.IngressClass, _ingress_class),
    "Ingress": (s.Ingress, _ingress),
    "ServiceAccount": (s.ServiceAccount, _service_account),
    "Role": (s.Role, _role),
    "ClusterRole": (s.Role, _role),
    "RoleBinding": (s.RoleBinding, _role_binding),
    "ClusterRoleBinding": (s.RoleBinding, _role_binding),
    "NetworkPolicy": (s.NetworkPolicy, _network_policy),
    "ResourceQuota": (s.ResourceQuota, _quota),
    "LimitRange": (s.LimitRange, _limit_range),
    "Lease": (s.Lease, _lease),
    "Event": (s.Event, _event),
    "Secret": (s.ReleaseSecret, _helm_release),
    "Application": (s.Application, _application),
    "HelmRelease": (s.FluxObject, _flux_helm_release),
    "Kustomization": (s.FluxObject, _flux_kustomization),
    "ConfigMap": (s.ConfigMap, _config_map),
    **{
        kind: (s.FluxObject, _flux_source(kind))
        for kind in ("GitRepository", "HelmRepository", "OCIRepository", "HelmChart", "Bucket")
    },
}

_ALL = tuple(Kind(resource, *_DECODERS[resource.kind]) for resource in RESOURCES)
KINDS = tuple(kind for kind in _ALL if not kind.of.by_name)
"""The kinds that are read as lists."""
HELM_CONFIG_MAPS = Kind(resources.HELM_CONFIG_MAPS, s.ReleaseSecret, _helm_release)
"""Helm's records in ConfigMaps, the only ones of them that are listed."""
CONFIG_MAPS = next(kind for kind in _ALL if kind.of.by_name)
"""ConfigMaps are read one by one, by the names in the catalog; never as a list."""
