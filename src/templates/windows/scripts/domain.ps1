# Active Directory: the first controller of a new forest, a further one, a member.

function Test-Controller {
    # 4 and 5: backup and primary domain controller.
    return (Get-WmiObject Win32_ComputerSystem).DomainRole -ge 4
}

function Get-ControllerRole($Settings) {
    return $Settings.SelectSingleNode('roles/domain-controller | roles/further-domain-controller')
}

# Who is asked for the domain's names, in place of the name server that DHCP tells.
function Set-NameServers([string] $Step, $Role) {
    $addresses = @($Role.SelectNodes('controller') | ForEach-Object { $_.InnerText })
    if ($addresses.Count -eq 0) { return }
    foreach ($card in Get-WmiObject Win32_NetworkAdapterConfiguration -Filter 'IPEnabled=TRUE') {
        $result = $card.SetDNSServerSearchOrder([string[]] $addresses)
        Write-Log $Step ('name servers of ' + $card.Description + ': ' + ($addresses -join ', ') + ': ' + $result.ReturnValue)
    }
}

# The domain may not answer yet: the network has only just come up, or its controller has.
function Invoke-Patiently([string] $Step, [scriptblock] $Work) {
    for ($try = 1; ; $try++) {
        try { return & $Work } catch {
            Write-Log $Step ('try ' + $try + ': ' + $_.Exception.Message)
            if ($try -ge 20) { throw }
            Start-Sleep -Seconds 30
        }
    }
}

function Install-Forest($Role) {
    $options = @{
        DomainName = (Get-Text $Role 'realm'); DomainNetbiosName = (Get-Text $Role 'netbios')
        SafeModeAdministratorPassword = (Get-SecureSecret 'recovery')
        InstallDns = $true; NoRebootOnCompletion = $true; Force = $true
    }
    Install-ADDSForest @options
}

function Install-FurtherController($Role) {
    $options = @{
        DomainName = (Get-Text $Role 'realm'); Credential = (Get-JoinCredential $Role)
        SafeModeAdministratorPassword = (Get-SecureSecret 'recovery')
        InstallDns = $true; NoRebootOnCompletion = $true; Force = $true
    }
    Invoke-Patiently 'domain-controller' { Install-ADDSDomainController @options }
}

# For Windows Server 2008 R2. dcpromo takes the passwords out of its file; the file goes too.
function Invoke-Dcpromo($Role) {
    $lines = @('[DCINSTALL]', 'RebootOnCompletion=No', 'InstallDNS=Yes', 'ConfirmGc=Yes', ('SafeModeAdminPassword="' + (Get-Secret 'recovery') + '"'))
    if ($Role.Name -eq 'domain-controller') {
        $lines += 'ReplicaOrNewDomain=Domain', 'NewDomain=Forest', ('NewDomainDNSName=' + (Get-Text $Role 'realm')), ('DomainNetbiosName=' + (Get-Text $Role 'netbios'))
    } else {
        $lines += 'ReplicaOrNewDomain=Replica', ('ReplicaDomainDNSName=' + (Get-Text $Role 'realm')), ('UserDomain=' + (Get-Text $Role 'realm')), ('UserName=' + (Get-Text $Role 'account')), ('Password="' + (Get-Secret 'join') + '"')
    }
    $file = Join-Path $Place 'dcpromo.txt'
    try {
        Set-Content -Path $file -Value $lines -Encoding ASCII
        # 1 to 4: done, with or without a restart that is needed.
        Invoke-Program 'domain-controller' 'dcpromo.exe' @('/unattend:' + $file) @(1, 2, 3, 4) | Out-Null
    } finally {
        Remove-Item -Path $file -Force -ErrorAction SilentlyContinue
    }
}

function Step-DomainController($Settings) {
    $role = Get-ControllerRole $Settings
    if (Test-Controller) { return 'done' }
    Set-NameServers 'domain-controller' $role
    Add-Feature 'domain-controller' @('AD-Domain-Services') | Out-Null
    if (Get-Module -ListAvailable ADDSDeployment) {
        Import-Module ADDSDeployment
        if ($role.Name -eq 'domain-controller') { $result = Install-Forest $role } else { $result = Install-FurtherController $role }
        Write-Log 'domain-controller' ('' + $result.Status + ' ' + $result.Message)
        if ($result.Status.ToString() -ne 'Success') { throw ('' + $result.Message) }
    } else {
        Invoke-Dcpromo $role
    }
    return 'restart'
}

# A controller serves its domain when SYSVOL is shared.
function Step-DomainReady($Settings) {
    if (-not (Test-Controller)) { throw 'it is no domain controller' }
    for ($try = 1; $try -le 60; $try++) {
        $shared = Get-WmiObject Win32_Share | Where-Object { $_.Name -eq 'SYSVOL' }
        $directory = Get-Service 'NTDS' -ErrorAction SilentlyContinue
        if ($shared -and $directory -and $directory.Status.ToString() -eq 'Running') { return 'done' }
        Start-Sleep -Seconds 30
    }
    throw 'SYSVOL was not shared within 30 minutes'
}

# Setup has joined it already, unless the domain did not answer then.
function Step-Member($Settings) {
    $role = $Settings.SelectSingleNode('roles/member')
    Set-NameServers 'member' $role
    if ((Get-WmiObject Win32_ComputerSystem).PartOfDomain) { return 'done' }
    $options = @{ DomainName = (Get-Text $role 'realm'); Credential = (Get-JoinCredential $role) }
    $ou = Get-Text $role 'ou'
    if ($ou -ne '') { $options.OUPath = $ou }
    Invoke-Patiently 'member' { Add-Computer @options } | Out-Null
    return 'restart'
}
