package collect

// controlPath is where something usually lies by which others take orders.
type controlPath struct {
	// path has {uid} for a user's id.
	path, what string
	// secret is a file to be read; all others are sockets.
	secret bool
}

// rootHome is the home directory of user 0.
const rootHome = "/root"

// usualControlPaths are sorted by what they are of. What is below /run is looked for
// below /var/run too.
var usualControlPaths = [...]controlPath{
	{"/run/docker.sock", "Docker", false},
	{"/run/docker/docker.sock", "Docker", false},
	{"/run/docker/containerd/containerd.sock", "containerd", false},
	{"/run/docker/plugins/rexray.sock", "a Docker plugin", false},
	{"/run/user/{uid}/docker.sock", "rootless Docker", false},
	{"/run/containerd/containerd.sock", "containerd", false},
	{"/run/k3s/containerd/containerd.sock", "containerd", false},
	{"/run/nri/nri.sock", "plugins of container runtimes", false},
	{"/run/crio/crio.sock", "CRI-O", false},
	{"/run/cri-dockerd.sock", "cri-dockerd", false},
	{"/run/dockershim.sock", "dockershim", false},
	{"/run/buildkit/buildkitd.sock", "BuildKit", false},
	{"/run/podman/podman.sock", "podman", false},
	{"/run/user/{uid}/podman/podman.sock", "podman", false},
	{"/run/lxd/unix.socket", "LXD", false},
	{"/var/lib/lxd/unix.socket", "LXD", false},
	{"/var/snap/lxd/common/lxd/unix.socket", "LXD", false},
	{"/var/lib/incus/unix.socket", "Incus", false},
	{"/run/libvirt/libvirt-sock", "libvirt", false},
	{"/run/snapd.socket", "snapd", false},
	{"/var/lib/kubelet/device-plugins/kubelet.sock", "kubelet", false},
	{"/var/lib/kubelet/pod-resources/kubelet.sock", "kubelet", false},
	{"/run/systemd/private", "systemd", false},
	{"/run/systemd/io.systemd.Manager", "systemd", false},
	{"/run/user/{uid}/systemd/private", "systemd of a user", false},
	{"/run/dbus/system_bus_socket", "D-Bus", false},
	{"/run/user/{uid}/bus", "D-Bus of a user", false},
	{"/run/secrets/kubernetes.io/serviceaccount/token", "a service account of Kubernetes", true},
	{"/run/secrets/eks.amazonaws.com/serviceaccount/token", "a role of AWS", true},
	{"/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token", "a role of AWS", true},
	{"/run/secrets/azure/tokens/azure-identity-token", "an identity of Azure", true},
	{"/etc/kubernetes/admin.conf", "an administrator of Kubernetes", true},
	{"/etc/rancher/k3s/k3s.yaml", "an administrator of Kubernetes", true},
	{"/var/lib/kubelet/pki/kubelet-client-current.pem", "kubelet", true},
	{rootHome + "/.kube/config", "a user of Kubernetes", true},
	{rootHome + "/.aws/credentials", "a user of AWS", true},
	{rootHome + "/.azure/msal_token_cache.json", "a user of Azure", true},
	{rootHome + "/.config/gcloud/application_default_credentials.json", "a user of Google Cloud", true},
	{rootHome + "/.config/gcloud/credentials.db", "a user of Google Cloud", true},
	{rootHome + "/.docker/config.json", "registries of images", true},
}
