// The policy engine of the real node: kube-router's controller of NetworkPolicies, without its routes and proxy.
package main

import (
	"flag"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "of the node")
	name := flag.String("hostname-override", "", "the node's name")
	services := flag.String("service-cluster-ip-range", "10.96.0.0/12", "of the API server")
	flag.Parse()
	if err := run(*kubeconfig, *name, *services); err != nil {
		klog.ErrorS(err, "no policy is enforced")
		os.Exit(1)
	}
}

func run(kubeconfig, name, services string) error {
	config := options.NewKubeRouterConfig()
	config.HostnameOverride = name
	config.ClusterIPCIDRs = []string{services}
	config.EnableIPv4 = true
	// What changes is told by the API server; this is for what somebody else did to the tables.
	config.IPTablesSyncPeriod = time.Minute
	access, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	commands, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return err
	}
	var controller *netpol.NetworkPolicyController
	// The kubelet, which starts at the same time, makes the node's object.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		controller, err = netpol.NewNetworkPolicyController(
			client, config, pods, policies, namespaces, &sync.Mutex{}, commands, sets)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			return err
		}
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods:       controller.PodEventHandler,
		namespaces: controller.NamespaceEventHandler,
		policies:   controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	beats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range beats {
		}
	}()
	var running sync.WaitGroup
	running.Add(1)
	go controller.Run(beats, stop, &running)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	close(stop)
	running.Wait()
	return nil
}
